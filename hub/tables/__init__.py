"""Tables that others bring: their own observations and beats, for them to see what the hub makes of them."""
