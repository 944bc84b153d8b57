DROP TABLE docshard.client_rates, docshard.client_sizes;
