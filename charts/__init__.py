"""Berth's Helm charts; `charts.schema` states what their values may be."""
