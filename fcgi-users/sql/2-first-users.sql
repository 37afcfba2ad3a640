-- Step 2 of users.db: the users that it starts with.

INSERT INTO users
    (id, name,                  email,                                 cpf,              member_since, favorite_drink, loyalty_points, active)
VALUES
    (1,  'Ana Clara Gomes',     'ana.gomes@centralperk.com',           '123.456.789-01', '2023-06-10', 'Cappuccino',   150,            1),
    (2,  'Gabriel Albuquerque', 'gabriel.albuquerque@centralperk.com', '234.567.890-12', '2023-03-22', 'Espresso',     220,            1),
    (3,  'Paulo Rosado',        'paulo.rosado@centralperk.com',        '345.678.901-23', '2023-09-05', 'Latte',        95,             1),
    (4,  'Gustavo Mourato',     'gustavo.mourato@centralperk.com',     '456.789.012-34', '2023-05-18', 'Mocha',        180,            1),
    (5,  'Vinícius de Andrade', 'vinicius.andrade@centralperk.com',    '567.890.123-45', '2024-01-30', 'Americano',    65,             0),
    (6,  'Luan Kato',           'luan.kato@centralperk.com',           '678.901.234-56', '2022-11-11', 'Macchiato',    310,            1);
