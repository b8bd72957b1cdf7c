"""Training: LightningModules around the models, and their callbacks."""
