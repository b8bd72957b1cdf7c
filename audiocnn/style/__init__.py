"""Style transfer: a image with the content of one and the style of others, by the maps of any backbone."""
