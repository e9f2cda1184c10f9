"""The pure core: values in, values out. No disk, network, clock, environment or globals."""
