"""LightningModules: a front end, a backbone and a head, trained and asked together."""
