-- commands
ALTER CONVERSION | no query names a conversion by more than two encodings, whose functions are those of PostgreSQL
CREATE CONVERSION | as ALTER CONVERSION
DROP CONVERSION | as ALTER CONVERSION
ALTER LARGE OBJECT | functions that read large objects are volatile: a query with them is recomputed every time
ALTER DATABASE | settings of the database has it inside of a DO; renaming and moving need that nobody is connected
ALTER TABLESPACE | nothing but its name or costs change
CREATE TABLESPACE | the cluster of the tests has one tablespace for all cells
DROP TABLESPACE | only if it is empty
CREATE DATABASE | another database
DROP DATABASE | nothing remains that could be refreshed
CREATE TRANSFORM | needs a procedural language that the server of the tests does not have
DROP TRANSFORM | as CREATE TRANSFORM
CREATE FOREIGN DATA WRAPPER | no table can use it before it is there
CREATE SERVER | as CREATE FOREIGN DATA WRAPPER
DROP FOREIGN DATA WRAPPER | "drop its wrapper" drops it with its extension
IMPORT FOREIGN SCHEMA | as CREATE FOREIGN TABLE, and nothing that exists changes
DROP ACCESS METHOD | only if no table uses it, or with the table
SECURITY LABEL | needs a label provider; labels do not change what a query returns
