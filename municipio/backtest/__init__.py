"""The decisions of the live system on recorded readings, without a broker: the very same functions."""
