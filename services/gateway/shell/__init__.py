"""The gateway's sockets, REST requests, tasks and files, around the pure rooms beside it."""
