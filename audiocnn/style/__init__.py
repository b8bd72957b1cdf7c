"""Style transfer: an image or sound in the style of others, by the feature maps of any backbone."""
