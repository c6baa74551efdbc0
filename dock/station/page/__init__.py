"""The dock page: what people see of the station in a browser (R33)."""
