DROP FUNCTION django_websocket_announce(text, text, jsonb, float8, text, integer, float8);
DROP FUNCTION django_websocket_clear(text, bytea, float8, bigint);
DROP FUNCTION django_websocket_edit(text, text, bytea, integer, float8, bigint);
DROP FUNCTION django_websocket_retract(text, text, integer, float8, bigint);
DROP FUNCTION django_websocket_change(django_websocket_channel, text, bytea, bytea, integer, float8, bigint);
DROP FUNCTION django_websocket_publish(text, bytea, integer, float8, bigint);
DROP FUNCTION django_websocket_append(django_websocket_channel, bytea, integer, float8, bigint, integer);
DROP FUNCTION django_websocket_lock(text);
DROP FUNCTION django_websocket_listen_to(text);
DROP TABLE django_websocket_presence, django_websocket_process, django_websocket_large,
    django_websocket_history, django_websocket_channel, django_websocket_begun;
