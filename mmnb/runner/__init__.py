"""Run notebooks headless, publish what they made, and say what changed."""
