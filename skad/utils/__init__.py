"""Checks of images and of estimators; imports nothing else of skad."""
