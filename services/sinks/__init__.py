"""Where things end up: the warehouse, hot state, delivery. Writes only; reads of history are in `services.history`."""
