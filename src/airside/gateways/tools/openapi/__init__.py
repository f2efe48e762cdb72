"""Operations of HTTP APIs as sources of tools, from their OpenAPI documents."""
