"""What a notebook calls: start a run, record and judge claims, draw figures. Nothing is imported here, so that the CLI stays fast."""
