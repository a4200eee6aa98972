"""Contracts: what travels between services and what a municipality writes down."""
