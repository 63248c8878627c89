"""What the answers look like, for the OpenAPI document: nothing is checked or written anew by these when a route answers."""
