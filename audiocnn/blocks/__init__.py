"""The parts that networks are made of; each takes dims=1 (time) or dims=2 (bins, time)."""
