"""Kafka: the topics, how we connect, how frames get in, how decisions are read. Every consumer here is a plain aiokafka
one; the stream framework lives in `services/agents/app.py`.
"""
