"""Contrastive training: small dual encoders and CLIP fine-tuning."""
