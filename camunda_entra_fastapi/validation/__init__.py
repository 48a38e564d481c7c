"""Token validation. Pure: text, keys and the time go in; verified claims or an error come out."""
