"""Messages that PostgreSQL and the system print in other languages, as the checks know them.

A server speaks the language of its `lc_messages`, a client that of its locale: German, French and
Spanish words of the messages that checks explain are put into English before they are looked up.
"""

from __future__ import annotations

import re

_NAME = r"[»«\"“„”]\s?([^»«\"“”„\n]{1,80}?)\s?[»«\"“”]"
_WORDS: tuple[tuple[str, str], ...] = (
    # German
    (
        rf"Spalte {_NAME} von Relation {_NAME} existiert nicht",
        r'column "\1" of relation "\2" does not exist',
    ),
    (
        rf"Spalte {_NAME} von Relation {_NAME} existiert bereits",
        r'column "\1" of relation "\2" already exists',
    ),
    (rf"Relation {_NAME} existiert nicht", r'relation "\1" does not exist'),
    (rf"Relation {_NAME} existiert bereits", r'relation "\1" already exists'),
    (rf"Spalte {_NAME} existiert nicht", r'column "\1" does not exist'),
    (rf"Typ {_NAME} existiert bereits", r'type "\1" already exists'),
    (rf"Datenbank {_NAME} existiert nicht", r'database "\1" does not exist'),
    (rf"Rolle {_NAME} existiert nicht", r'role "\1" does not exist'),
    (rf"Prepared-Statement {_NAME} existiert bereits", r'prepared statement "\1" already exists'),
    (rf"Prepared-Statement {_NAME} existiert nicht", r'prepared statement "\1" does not exist'),
    (
        rf"doppelter Schlüsselwert verletzt Unique-Constraint {_NAME}",
        r'duplicate key value violates unique constraint "\1"',
    ),
    (
        rf"Passwort-Authentifizierung für Benutzer {_NAME} fehlgeschlagen",
        r'password authentication failed for user "\1"',
    ),
    (
        rf"konnte Hostname {_NAME} nicht in Adresse übersetzen",
        r'could not translate host name "\1" to address',
    ),
    (r"keine Berechtigung für Schema (\S+)", r"permission denied for schema \1"),
    (r"das Datenbanksystem startet gerade", "the database system is starting up"),
    (
        r"Verbindung wird abgebrochen aufgrund von Anweisung des Administrators",
        "terminating connection due to administrator command",
    ),
    (r"Verbindungsaufbau abgelehnt", "Connection refused"),
    (r"Der Name oder der Dienst ist nicht bekannt", "Name or service not known"),
    (r"Verklemmung (entdeckt|festgestellt)", "deadlock detected"),
    (r"schon zu viele Verbindungen", "too many clients already"),
    (r"in einer Read-Only-Transaktion", "in a read-only transaction"),
    (
        r"Datenbankdateien sind inkompatibel mit (dem )?Server",
        "database files are incompatible with server",
    ),
    (r"Abbruch wegen unpassender Serverversion", "aborting because of server version mismatch"),
    (r"Auf dem Gerät ist kein Speicherplatz mehr verfügbar", "No space left on device"),
    (r"Datei oder Verzeichnis nicht gefunden", "No such file or directory"),
    (r"Keine Berechtigung\b", "Permission denied"),
    # French
    (
        rf"la colonne {_NAME} de la relation {_NAME} n.existe pas",
        r'column "\1" of relation "\2" does not exist',
    ),
    (
        rf"la colonne {_NAME} de la relation {_NAME} existe déjà",
        r'column "\1" of relation "\2" already exists',
    ),
    (rf"la relation {_NAME} n.existe pas", r'relation "\1" does not exist'),
    (rf"la relation {_NAME} existe déjà", r'relation "\1" already exists'),
    (rf"la colonne {_NAME} n.existe pas", r'column "\1" does not exist'),
    (rf"le type {_NAME} existe déjà", r'type "\1" already exists'),
    (rf"la base de données {_NAME} n.existe pas", r'database "\1" does not exist'),
    (rf"le rôle {_NAME} n.existe pas", r'role "\1" does not exist'),
    (rf"l.instruction préparée {_NAME} existe déjà", r'prepared statement "\1" already exists'),
    (
        rf"l.instruction préparée {_NAME} n.existe pas",
        r'prepared statement "\1" does not exist',
    ),
    (
        rf"la valeur d.une clé dupliquée rompt la contrainte unique {_NAME}",
        r'duplicate key value violates unique constraint "\1"',
    ),
    (
        rf"authentification par mot de passe échouée pour l.utilisateur\s*{_NAME}",
        r'password authentication failed for user "\1"',
    ),
    (
        rf"n.a pas pu traduire le nom d.hôte {_NAME} en adresse",
        r'could not translate host name "\1" to address',
    ),
    (r"droit refusé pour le schéma (\S+)", r"permission denied for schema \1"),
    (r"le système de bases? de données se lance", "the database system is starting up"),
    (
        r"arrêt des connexions suite à la demande de l.administrateur",
        "terminating connection due to administrator command",
    ),
    (r"Connexion refusée", "Connection refused"),
    (r"Nom ou service inconnu", "Name or service not known"),
    (r"(interblocage( \(deadlock\))?|bloquage mortel) détecté", "deadlock detected"),
    (r"trop de clients sont déjà connectés", "too many clients already"),
    (r"dans une transaction en lecture seule", "in a read-only transaction"),
    (
        r"les fichiers de la base de données sont incompatibles avec le serveur",
        "database files are incompatible with server",
    ),
    (
        r"annulation [^\n]{0,20}différence des versions",
        "aborting because of server version mismatch",
    ),
    (r"Aucun espace disponible sur le périphérique", "No space left on device"),
    (r"Aucun fichier ou dossier de ce (type|nom)", "No such file or directory"),
    (r"Permission non accordée", "Permission denied"),
    # Spanish
    (
        rf"no existe la columna {_NAME} en la relación {_NAME}",
        r'column "\1" of relation "\2" does not exist',
    ),
    (
        rf"ya existe la columna {_NAME} en la relación {_NAME}",
        r'column "\1" of relation "\2" already exists',
    ),
    (
        rf"la columna {_NAME} de la relación {_NAME} ya existe",
        r'column "\1" of relation "\2" already exists',
    ),
    (rf"no existe la relación {_NAME}", r'relation "\1" does not exist'),
    (rf"la relación {_NAME} ya existe", r'relation "\1" already exists'),
    (rf"no existe la columna {_NAME}", r'column "\1" does not exist'),
    (rf"no existe la base de datos {_NAME}", r'database "\1" does not exist'),
    (rf"no existe el rol {_NAME}", r'role "\1" does not exist'),
    (
        rf"llave duplicada viola restricción de unicidad {_NAME}",
        r'duplicate key value violates unique constraint "\1"',
    ),
    (
        rf"la autentificación password falló para el usuario {_NAME}",
        r'password authentication failed for user "\1"',
    ),
    (r"el sistema de base de datos está iniciándose", "the database system is starting up"),
    (r"Conexión rehusada", "Connection refused"),
    (r"Nombre o servicio desconocido", "Name or service not known"),
    (r"lo siento, ya tenemos demasiados clientes", "too many clients already"),
    (r"en una transacción de sólo lectura", "in a read-only transaction"),
    (r"No queda espacio en el dispositivo", "No space left on device"),
    (r"Permiso denegado", "Permission denied"),
)


def in_english(text: str) -> str:
    """Return a log with the messages that we know in other languages put into English."""
    for words, english in _WORDS:
        text = re.sub(words, english, text, flags=re.IGNORECASE)
    return text
