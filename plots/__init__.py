"""Geometry of plots: values into places of an SVG, and round numbers for their axes. Pure.

Below everything that draws (the console, the ring's simulation, reports of load tests); it imports
nothing, and how a plot looks is for each template to say.
"""
