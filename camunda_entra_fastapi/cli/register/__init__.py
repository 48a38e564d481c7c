"""Registering an application in Entra, as Camunda's guide has one do by hand."""
