"""The dialect of Massive.com: messages, REST documents, codes, and its protocol as a state machine. Pure."""
