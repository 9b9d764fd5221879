//! French.

use web::i18n::Phrase;

use super::HealthText;

pub(super) const TEXT: HealthText = HealthText {
    health: "État",
    health_title: "État des services",
    all_ready: "Tous les services affichés ici sont prêts.",
    some_not_ready: Phrase("Pas prêts : {}"),
    some_unknown: Phrase("Aucun service ne signale de problème ; inconnu : {}"),
    service: "Nom du service",
    state: "État",
    problem: "Ce qui ne va pas",
    since: "Depuis",
    version: "Version du programme",
    ready: "Prêt",
    not_ready: "Pas prêt",
    unknown: "Inconnu",
    database: "La base de données ne répond pas, est pleine ou en lecture seule. Vérifiez qu’elle fonctionne et que son disque a de la place.",
    ldap: "Le serveur LDAP ne répond pas. Vérifiez qu’il fonctionne, ainsi que son adresse et son mot de passe.",
    clock: "L’horloge de cette machine diffère de celle de la base de données. Vérifiez que les deux sont synchronisées.",
    starting: "Le service démarre.",
    shutting_down: "Le service s’arrête.",
    other_check: Phrase("« {} » a échoué. Le journal du service dit pourquoi ; un redémarrage reprend au début."),
    remote_not_ready: "Le service fonctionne et indique qu’il n’est pas prêt. Son journal et « /readyz » de son serveur de débogage disent pourquoi.",
    remote_unknown: "Le service fonctionne et n’indique pas s’il est prêt.",
    remote_unreachable: "Aucune connexion n’est possible. Vérifiez que le service fonctionne, ainsi que son adresse et TLS dans les réglages des pages du compte.",
    remote_no_answer: "Le service n’a pas répondu en deux secondes. Il est peut-être surchargé, ou le réseau est en panne.",
    others: "Les services d’autres processus que ces pages n’appellent pas ne sont pas affichés. « doorward health » et leurs serveurs de débogage donnent leur état.",
    certificates: "Certificats",
    listener: "Point d’écoute",
    valid_from: "Valable à partir du",
    valid_until: "Valable jusqu’au",
    certificate_valid: "Valable",
    certificate_ends_soon: "Expire dans moins de deux semaines : renouvelez-le",
    certificate_early: "Pas encore valable",
    certificate_expired: "Expiré : renouvelez-le maintenant",
    keys: "Clés de signature utilisées",
    key_id: "Identifiant de la clé",
    algorithm: "Algorithme",
    signs_since: "Signe depuis",
};
