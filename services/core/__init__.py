"""The machine: contract, registry, sequencer, pipeline, calendar, identity. Pure: no clock, socket or store."""
