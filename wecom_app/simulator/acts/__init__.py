"""What people do in the WeCom client and the admin console, one module for each kind of thing."""
