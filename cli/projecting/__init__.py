"""Projecting pictures: plan, work, files, report."""
