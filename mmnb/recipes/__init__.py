"""How each model was trained: the training code of the notebooks."""
