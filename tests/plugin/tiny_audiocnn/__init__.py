"""A package that extends audiocnn, as anyone may write one: a front end and a backbone, registered by decorators."""
