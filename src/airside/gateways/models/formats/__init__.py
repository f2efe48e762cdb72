"""The wire formats: each as the face a client sees and as the language an upstream speaks."""
