"""The docking daemon: the agent on the camera, the station at the dock."""
