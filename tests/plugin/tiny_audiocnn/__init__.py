"""A package that extends audiocnn by a front end and a backbone, registered by decorators, and a data set."""
