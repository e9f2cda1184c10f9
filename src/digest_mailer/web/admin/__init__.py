"""The pages of who works on the publication, under `/admin/`: what the command line does, in a browser."""
