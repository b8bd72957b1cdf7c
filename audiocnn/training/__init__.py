"""Training: LightningModules of the models, and callbacks."""
