"""Notifications: their message, the channels they go to, and their delivery from the outbox."""
