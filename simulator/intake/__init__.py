"""The user's own data at the door: paths in, arrays, text or plain numbers out; no price is known here."""
