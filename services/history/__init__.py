"""History: the warehouse and its migrations. Reads are here (`warehouse`), writes in `services.sinks`."""
