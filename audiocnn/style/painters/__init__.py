"""Painters: networks that paint an image in a style in one pass, all with the contract of `base.Painter`."""
