"""The scheduled check: plan, lease, count, compare, decide, and one transaction a window."""
