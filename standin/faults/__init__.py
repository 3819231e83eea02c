"""Bad days by name, and what the vendor leaves open by switch."""
