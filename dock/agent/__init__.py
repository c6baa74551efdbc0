"""The agent on the camera: finds closed files, uploads them, hands receipts to the recorder."""
