"""Sections of the configuration that pure rooms share: frozen structs with bounds. Pure."""
