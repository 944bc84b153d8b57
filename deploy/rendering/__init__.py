"""Configuration of real servers, from the fleet file: one module for each program that reads it."""
