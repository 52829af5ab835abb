"""Small vision-language transformers on scenes: training, and the stored models."""
