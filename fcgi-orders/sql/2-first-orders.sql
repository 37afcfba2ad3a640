-- Step 2 of orders.db: the orders that it starts with. Prices are in cents.

INSERT INTO orders
    (id, user_id, user_name,             product,                          category,        quantity, price, status,      order_date,         served_by)
VALUES
    (1,  1,       'Ana Clara Gomes',     'Cappuccino Grande',              'Bebida Quente', 2,        1250,  'delivered', '2024-11-28 08:30', 'Gunther'),
    (2,  2,       'Gabriel Albuquerque', 'Espresso Duplo',                 'Bebida Quente', 1,        800,   'delivered', '2024-11-28 09:15', 'Gunther'),
    (3,  3,       'Paulo Rosado',        'Latte com Caramelo',             'Bebida Quente', 1,        1400,  'ready',     '2024-11-29 10:00', 'Gunther'),
    (4,  1,       'Ana Clara Gomes',     'Cheesecake de Frutas Vermelhas', 'Sobremesa',     1,        1800,  'delivered', '2024-11-29 14:30', 'Gunther'),
    (5,  4,       'Gustavo Mourato',     'Mocha com Chantilly',            'Bebida Quente', 1,        1550,  'preparing', '2024-11-29 16:00', 'Gunther'),
    (6,  5,       'Vinícius de Andrade', 'Americano',                      'Bebida Quente', 1,        900,   'delivered', '2024-11-30 07:45', 'Gunther'),
    (7,  6,       'Luan Kato',           'Macchiato',                      'Bebida Quente', 1,        1100,  'ready',     '2024-11-30 08:20', 'Gunther'),
    (8,  2,       'Gabriel Albuquerque', 'Croissant de Chocolate',         'Doce',          1,        850,   'delivered', '2024-11-30 09:00', 'Gunther'),
    (9,  3,       'Paulo Rosado',        'Frappuccino de Morango',         'Bebida Gelada', 1,        1600,  'delivered', '2024-11-30 11:10', 'Gunther'),
    (10, 1,       'Ana Clara Gomes',     'Brownie com Sorvete',            'Sobremesa',     1,        2000,  'ready',     '2024-11-30 13:30', 'Gunther');
