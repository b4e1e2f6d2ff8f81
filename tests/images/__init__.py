"""The images and docker-compose.yml with a real engine, which the tests start for themselves as root."""
