"""The control panel: one simulated camera in a browser, with the real programs behind it."""
