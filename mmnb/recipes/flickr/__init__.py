"""Flickr30k Entities: models and annotations as the notebooks measure them."""
