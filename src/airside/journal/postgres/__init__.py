"""The journal and the transaction seam on Postgres."""
